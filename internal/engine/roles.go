package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/cockroachdb/errors"

	"github.com/walferry/walferry/internal/catalog"
	"github.com/walferry/walferry/internal/roles"
	"github.com/walferry/walferry/internal/status"
	"github.com/walferry/walferry/internal/target"
)

// moveRoles makes the source's roles on the target, once in a migration. It comes
// before the schema, whose objects belong to them.
func (e *engine) moveRoles(ctx context.Context) error {
	if e.o.NoRoles || e.m.Phase != target.Preparing {
		return nil
	}
	recorded, err := target.Roles(ctx, e.dst, e.m.Name)
	if err != nil || len(recorded) > 0 {
		return err
	}
	unlock := e.o.group.lockRoles()
	defer unlock()
	results, err := roles.Move(ctx, roles.Options{
		Source: e.src, Target: e.dst, Exclude: e.o.ExcludeRoles, Passwords: e.o.RolePasswords,
	})
	if err != nil {
		return err
	}
	for _, r := range results {
		e.o.Logger.InfoContext(ctx, "role", "role", r.Name, "status", r.Status, "reason", r.Message)
		if r.Password != "" && e.o.ShowPassword != nil {
			if e.passwords == nil {
				e.passwords = map[string]string{}
			}
			e.passwords[r.Name] = r.Password
			e.o.ShowPassword(r.Name, r.Password)
		}
	}
	return target.RecordRoles(ctx, e.dst, e.m.Name, results)
}

// roleResults tells what became of the roles.
func (e *engine) roleResults(ctx context.Context) ([]status.Role, error) {
	results, err := target.Roles(ctx, e.dst, e.m.Name)
	told := make([]status.Role, len(results))
	for i, r := range results {
		told[i] = status.Role{Name: r.Name, Status: string(r.Status), Message: r.Message, Password: e.passwords[r.Name]}
	}
	return told, err
}

// checkChoices refuses to leave out what the source does not have.
func (e *engine) checkChoices(ctx context.Context) error {
	if err := roles.Check(ctx, roles.Options{Source: e.src, Exclude: e.o.ExcludeRoles, Passwords: e.o.RolePasswords}); err != nil {
		return err
	}
	installed, err := catalog.Extensions(ctx, e.src)
	if err != nil {
		return err
	}
	var unknown []string
	for _, name := range e.o.ExcludeExtensions {
		if !slices.ContainsFunc(installed, func(x catalog.Extension) bool { return x.Name == name }) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		return errors.Newf("the source has no such extension: --exclude-extension %s", strings.Join(unknown, ", "))
	}
	return nil
}
