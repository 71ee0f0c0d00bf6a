package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/walferry/walferry/internal/pgtest"
)

// mainRunner runs the tests when this binary is not called as walferry.
type mainRunner struct{ m *testing.M }

// Run implements [testscript.TestingM]; it does not return.
func (r mainRunner) Run() int {
	pgtest.Main(r.m)
	return 0
}

// TestScript runs the scripts in testdata/script. SOURCE and TARGET are databases
// on a real server.
func TestScript(t *testing.T) {
	from, to := pgtest.Majors()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("WALFERRY_PGBIN", pgtest.Client(t, from))
			env.Setenv("SOURCE", pgtest.Server(t, from).Database(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `INSERT INTO t VALUES (1, 'a'), (2, 'b')`))
			env.Setenv("TARGET", pgtest.Start(t, to, nil).Database(t))
			return nil
		},
	})
}
