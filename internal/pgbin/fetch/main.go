// Command fetch prints where PostgreSQL's programs are, and fetches what the
// machine does not have: fetch 13 18 client18 names the servers 13 and 18 and
// clients of at least 18.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/pgbin"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "fetch: error: %v\n", err)
		for _, part := range []string{errors.FlattenDetails(err), errors.FlattenHints(err)} {
			if part != "" {
				fmt.Fprintf(os.Stderr, "fetch: %s\n", part)
			}
		}
		os.Exit(1) //nolint:forbidigo // a command's exit status
	}
}

func run(wanted []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	for _, what := range wanted {
		dir, err := fetch(ctx, what)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(os.Stdout, "%s %s\n", what, dir); err != nil {
			return err
		}
	}
	return nil
}

func fetch(ctx context.Context, what string) (string, error) {
	number, client := strings.CutPrefix(what, "client")
	major, err := strconv.Atoi(number)
	if err != nil {
		err := errors.Newf("%q is neither a major version nor client<major>", what)
		return "", errors.WithHint(err, "for example: fetch 13 18 client18")
	}
	if client {
		return pgbin.Client(ctx, major)
	}
	return pgbin.Server(ctx, major)
}
