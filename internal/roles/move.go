package roles

import (
	"context"
	"crypto/rand"
	"regexp"
	"slices"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/conninfo"
	"github.com/walferry/walferry/internal/sqltext"
)

// Status is what became of a role.
type Status string

// A role was made, was there before, or was refused by the target.
const (
	Created Status = "created"
	Exists  Status = "exists"
	Failed  Status = "failed"
)

// Result is what became of one role.
type Result struct {
	Name   string
	Status Status
	// Message says why it failed, what of it is missing, or how it differs.
	Message string
	// Password is the random one that the role was given because its own could
	// not be read; empty otherwise.
	Password string
}

// Options say which roles are moved. Source and Target are needed.
type Options struct {
	Source, Target *pgx.Conn
	// Exclude names roles to leave out. A name that is not on the source is an error.
	Exclude []string
	// Passwords are those to give to roles, instead of their own.
	Passwords map[string]string
}

// Move makes the source's roles on the target. Of each role that was not excluded
// there is one result; an error means that a connection broke or the options name
// a role that does not exist, and then nothing was changed.
func Move(ctx context.Context, o Options) ([]Result, error) {
	m := mover{
		Options:     o,
		sourceMajor: conninfo.Major(o.Source.PgConn()), targetMajor: conninfo.Major(o.Target.PgConn()),
		there: map[string]role{}, results: map[string]*Result{},
	}
	if err := Check(ctx, o); err != nil {
		return nil, err
	}
	if err := m.learn(ctx); err != nil {
		return nil, errors.Wrap(err, "read roles")
	}
	for i := range m.roles {
		if err := m.move(ctx, &m.roles[i]); err != nil {
			return nil, errors.Wrapf(err, "create role %q on the target", m.roles[i].Name)
		}
	}
	if err := m.grant(ctx); err != nil {
		return nil, errors.Wrap(err, "grant roles on the target")
	}
	results := make([]Result, len(m.roles))
	for i := range m.roles {
		results[i] = *m.results[m.roles[i].Name]
	}
	return results, nil
}

// serviceRole are the roles of hosting services, which have no meaning elsewhere.
var serviceRole = regexp.MustCompile(`^(rdsadmin|rdsrepladmin|rdstopmgr|rds_.*|cloudsql.*|alloydb.*|azuresu|azure_pg_admin|azure_superuser|cloud_admin|neon_superuser)$`)

type mover struct {
	Options

	sourceMajor, targetMajor int
	roles                    []role
	hashes                   bool            // the source's are known
	there                    map[string]role // on the target before
	user                     string          // on the target
	super                    bool
	results                  map[string]*Result
}

func (m *mover) learn(ctx context.Context) (err error) {
	if m.roles, err = read(ctx, m.Source); err != nil {
		return err
	}
	m.roles = slices.DeleteFunc(m.roles, func(r role) bool { return slices.Contains(m.Exclude, r.Name) })
	if m.hashes, err = readHashes(ctx, m.Source, m.roles); err != nil {
		return err
	}
	existing, err := read(ctx, m.Target)
	for i := range existing {
		m.there[existing[i].Name] = existing[i]
	}
	if err != nil {
		return err
	}
	return m.Target.QueryRow(ctx, `SELECT current_user::text, rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user`).Scan(&m.user, &m.super)
}

// Check refuses names in the options that no role of the source has. It needs
// Source and changes nothing.
func Check(ctx context.Context, o Options) error {
	all, err := read(ctx, o.Source)
	if err != nil {
		return errors.Wrap(err, "list the source's roles")
	}
	known := func(name string) bool { return slices.ContainsFunc(all, func(r role) bool { return r.Name == name }) }
	var unknown []string
	for _, name := range o.Exclude {
		if !known(name) {
			unknown = append(unknown, "--exclude-role "+name)
		}
	}
	for name := range o.Passwords {
		if !known(name) {
			unknown = append(unknown, "--role-passwords of "+name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	err = errors.Newf("the source has no such role: %s", strings.Join(unknown, ", "))
	return errors.WithHint(err, "names of roles are taken as they are written, also their case")
}

// move makes one role, in a transaction of its own.
func (m *mover) move(ctx context.Context, r *role) error {
	result := &Result{Name: r.Name}
	m.results[r.Name] = result
	if t, exists := m.there[r.Name]; exists {
		result.Status = Exists
		if d := r.differences(&t); len(d) > 0 {
			result.Message = "left as it is: " + strings.Join(d, "; ")
		}
		return nil
	}
	if serviceRole.MatchString(r.Name) {
		result.Status, result.Message = Failed, "not moved: it belongs to the service that runs the source"
		return nil
	}
	password, err := m.password(r, result)
	if err != nil {
		return err
	}
	refused, err := m.try(ctx, r.createSQL(password))
	switch {
	case err != nil:
		return err
	case refused != nil && slices.Contains([]string{"42710", "23505"}, refused.Code):
		// Made by another migration in this moment.
		*result = Result{Name: r.Name, Status: Exists}
		return nil
	case refused != nil:
		*result = Result{Name: r.Name, Status: Failed, Message: describe(refused)}
		return nil
	}
	result.Status = Created
	return m.complete(ctx, r, result)
}

// password chooses what the role's password is to be, in the form to store.
func (m *mover) password(r *role, result *Result) (string, error) {
	given, ok := m.Passwords[r.Name]
	switch {
	case ok && isHash(given):
		return given, nil
	case ok:
		return scram(given)
	case m.hashes || !r.Login:
		return r.hash, nil // also of a role that has no password
	}
	result.Password = rand.Text()
	result.Message = "its password could not be read: it has a random one"
	return scram(result.Password)
}

// complete gives a new role its settings and comment, and lets the role that
// migrates own objects in its name.
func (m *mover) complete(ctx context.Context, r *role, result *Result) error {
	name := sqltext.Ident(r.Name)
	var statements []string
	for _, s := range r.Settings {
		if set, ok := SetSQL(s); ok {
			statements = append(statements, "ALTER ROLE "+name+" "+set)
		}
	}
	if r.Comment != "" {
		statements = append(statements, "COMMENT ON ROLE "+name+" IS "+sqltext.Literal(r.Comment))
	}
	if !m.super {
		sql := "GRANT " + name + " TO " + sqltext.Ident(m.user)
		if m.targetMajor >= 16 {
			sql += " WITH INHERIT TRUE, SET TRUE"
		}
		refused, err := m.try(ctx, sql)
		if err != nil {
			return err
		}
		if refused == nil {
			result.add("granted to " + m.user + ", which makes its objects")
		}
	}
	for _, sql := range statements {
		refused, err := m.try(ctx, sql)
		if err != nil {
			return err
		}
		if refused != nil {
			result.add("not taken over: " + strings.TrimPrefix(sql, "ALTER ROLE "+name+" ") + ": " + describe(refused))
		}
	}
	return nil
}

// grant makes the memberships of roles that were created. Of two roles that were
// there before, a missing one is only told.
func (m *mover) grant(ctx context.Context) error {
	wanted, err := readMemberships(ctx, m.Source, m.sourceMajor)
	if err != nil {
		return err
	}
	existing, err := readMemberships(ctx, m.Target, m.targetMajor)
	if err != nil {
		return err
	}
	for _, w := range wanted {
		result := m.results[w.Member]
		if result == nil || result.Status == Failed || slices.ContainsFunc(existing, func(e membership) bool {
			return e.Role == w.Role && e.Member == w.Member && (e.Admin || !w.Admin)
		}) {
			continue
		}
		of := m.results[w.Role]
		if result.Status == Exists && (of == nil || of.Status != Created) {
			result.add("it is no member of " + w.Role + " on the target")
			continue
		}
		refused, err := m.try(ctx, w.grantSQL(m.sourceMajor, m.targetMajor))
		if err != nil {
			return err
		}
		if refused != nil {
			result.add("it is no member of " + w.Role + " on the target: " + describe(refused))
		}
	}
	return nil
}

// try runs a statement; what the server refuses is returned as such.
func (m *mover) try(ctx context.Context, sql string) (refused *pgconn.PgError, err error) {
	_, err = m.Target.Exec(ctx, sql)
	if errors.As(err, &refused) && refused.Severity == "ERROR" && ctx.Err() == nil {
		return refused, nil
	}
	return nil, err
}

func describe(err *pgconn.PgError) string {
	if err.Detail != "" {
		return err.Message + " (" + err.Detail + ")"
	}
	return err.Message
}

func (r *Result) add(message string) {
	if r.Message != "" {
		r.Message += "; "
	}
	r.Message += message
}
