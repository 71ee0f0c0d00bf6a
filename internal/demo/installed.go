package demo

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/walferry/walferry/internal/pgbin"
)

var serverVersion = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// installedMajors returns the majors, ascending, of the servers that the machine
// has ready: it only chooses versions, pgbin finds the programs.
func installedMajors(ctx context.Context) []int {
	dirs := append([]string{os.Getenv("WALFERRY_PG_BIN")}, filepath.SplitList(os.Getenv("PATH"))...)
	for major := pgbin.OldestMajor; major <= pgbin.NewestMajor; major++ {
		dirs = append(dirs, os.Getenv("WALFERRY_PG_BIN_"+strconv.Itoa(major)))
	}
	// The pattern is a constant, so it cannot be malformed.
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	var majors []int
	for _, dir := range append(dirs, found...) {
		program := filepath.Join(dir, "postgres")
		if info, err := os.Stat(program); dir == "" || err != nil || info.IsDir() {
			continue
		}
		out, err := exec.CommandContext(ctx, program, "--version").Output()
		version := serverVersion.FindSubmatch(out)
		if err != nil || version == nil {
			continue
		}
		major, err := strconv.Atoi(string(version[1]))
		if err == nil && major >= pgbin.OldestMajor && major <= pgbin.NewestMajor {
			majors = append(majors, major)
		}
	}
	slices.Sort(majors)
	return slices.Compact(majors)
}
