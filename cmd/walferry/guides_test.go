package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/walferry/walferry/internal/pgtest"
	"github.com/walferry/walferry/internal/rowdiff"
)

// block is a fenced block of shell commands; one marked background is left running
// while the next ones are run.
var block = regexp.MustCompile("(?ms)^```sh( background)?\n(.*?)^```$")

// addresses are what a guide calls the two sides.
var addresses = regexp.MustCompile(`(?m)^export WALFERRY_(SOURCE|TARGET)=.*$`)

// guideScript makes one script of the commands of a guide.
func guideScript(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	script.WriteString("set -eu\n")
	background := 0
	for _, m := range block.FindAllStringSubmatch(string(text), -1) {
		if m[1] == "" {
			script.WriteString(m[2])
			continue
		}
		background++
		fmt.Fprintf(&script, "{ %s} & job%d=$!\n", m[2], background)
		// It takes a moment until there is something to ask for.
		script.WriteString("until walferry status >/dev/null 2>&1; do kill -0 $job" + strconv.Itoa(background) + "; sleep 0.2; done\n")
	}
	for n := range background {
		fmt.Fprintf(&script, "wait $job%d\n", n+1)
	}
	return addresses.ReplaceAllString(script.String(), ": $$WALFERRY_$1")
}

// TestGuides runs every command of every guide, with the rights that the guide speaks of,
// while the source is written to, and ends with both sides equal.
func TestGuides(t *testing.T) {
	t.Parallel()
	guides, err := filepath.Glob("../../docs/guide/*.md")
	if err != nil || len(guides) < 3 {
		t.Fatalf("found guides %v, %v", guides, err)
	}
	from, to := pgtest.Majors()
	source, target := pgtest.Start(t, from, nil), pgtest.Start(t, to, nil)
	// As the services have it: an administrator who is no superuser, and an owner.
	pgtest.Exec(t, source.URI("postgres"), `CREATE ROLE doadmin LOGIN CREATEROLE CREATEDB REPLICATION`)
	pgtest.Exec(t, target.URI("postgres"), `CREATE ROLE tenant LOGIN`)
	for n, path := range guides {
		name := strings.TrimSuffix(filepath.Base(path), ".md")
		if !strings.Contains(guideScript(t, path), "walferry migrate") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			database := fmt.Sprintf("shop%d", n)
			pgtest.Exec(t, source.URI("postgres"), `CREATE DATABASE `+database+` OWNER doadmin`)
			admin := target.URI(database)
			user := "postgres"
			if name == "few-rights" {
				user = "tenant"
				pgtest.Exec(t, target.URI("postgres"), `CREATE DATABASE `+database+` OWNER tenant`)
			}
			uri := pgtest.As(t, source.URI(database), "doadmin")
			runGuide(t, path, uri, pgtest.As(t, admin, user))
			pgtest.Compare(t, source.URI(database), admin, rowdiff.Options{Sequences: true})
		})
	}
}

func runGuide(t *testing.T, path, source, target string) {
	t.Helper()
	from, _ := pgtest.Majors()
	pgtest.Exec(t, source, `CREATE TABLE customer (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text)`,
		`CREATE TABLE orders (id bigserial PRIMARY KEY, customer int NOT NULL REFERENCES customer, placed timestamptz DEFAULT now())`,
		`CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$`,
		`CREATE TRIGGER acts BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION nothing()`,
		`INSERT INTO customer (name) SELECT 'c' || i FROM generate_series(1, 500) i`,
		`INSERT INTO orders (customer) SELECT id FROM customer`)
	ctx, stop := context.WithCancel(t.Context())
	written := make(chan struct{})
	go func() {
		defer close(written)
		order(ctx, source)
	}()
	bin := t.TempDir()
	if err := os.Symlink(os.Args[0], filepath.Join(bin, "walferry")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh")
	cmd.Stdin = strings.NewReader(guideScript(t, path))
	cmd.Env = append(os.Environ(), asWalferry+"=1", "PATH="+bin+":"+os.Getenv("PATH"), "WALFERRY_PGBIN="+pgtest.Client(t, from),
		"WALFERRY_SOURCE="+source, "WALFERRY_TARGET="+target)
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	stop()
	<-written
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// order is the application: it writes, also after the source was closed to it.
func order(ctx context.Context, uri string) {
	for rest(ctx) {
		conn, err := pgx.Connect(ctx, uri)
		for err == nil && rest(ctx) {
			_, err = conn.Exec(ctx, `INSERT INTO orders (customer) SELECT 1 + (random() * 400)::int`)
		}
		if conn != nil {
			_ = conn.Close(context.WithoutCancel(ctx)) // it may have been ended by the server
		}
	}
}

func rest(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(20 * time.Millisecond):
		return true
	}
}
