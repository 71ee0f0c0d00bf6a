package pgserver

import (
	"os"
	"os/user"
	"strconv"

	"github.com/cockroachdb/errors"
)

// account is whom a server runs as.
type account struct {
	other    bool // not ourselves
	uid, gid int
}

// serverAccount returns ourselves, or for root, as whom PostgreSQL refuses to
// run, the user postgres or nobody.
func serverAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.Atoi(u.Uid)
		gid, gidErr := strconv.Atoi(u.Gid)
		if uidErr == nil && gidErr == nil && uid != 0 {
			return account{other: true, uid: uid, gid: gid}, nil
		}
	}
	err := errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
	return account{}, errors.WithHint(err, "run as an ordinary user, or create the user postgres")
}
