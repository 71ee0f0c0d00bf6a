package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/cockroachdb/errors"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/walferry/walferry/internal/engine"
	"github.com/walferry/walferry/validate"
)

// errNo is the answer no, already printed.
var errNo = errors.New("the answer is no")

// printError writes an error with its details and hints, a line each.
func printError(w io.Writer, err error) {
	var blocked *engine.BlockedError
	if errors.As(err, &blocked) {
		for _, f := range blocked.Report.Findings {
			if f.Severity == validate.Error {
				message(w, "error", about(f))
				printOnce(w, "detail", []string{f.Detail}, map[string]bool{"": true})
				printOnce(w, "hint", []string{f.Hint}, map[string]bool{"": true})
			}
		}
		return
	}
	message(w, "error", err.Error())
	details, hints := errors.GetAllDetails(err), errors.GetAllHints(err)
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		details, hints = append(details, pgErr.Detail), append(hints, pgErr.Hint)
	}
	seen := map[string]bool{"": true}
	printOnce(w, "detail", details, seen)
	printOnce(w, "hint", hints, seen)
}

// about names a finding's object with what is said of it.
func about(f validate.Finding) string {
	if f.Object == "" || strings.Contains(f.Message, f.Object) {
		return f.Message
	}
	return f.Object + ": " + f.Message
}

func printOnce(w io.Writer, kind string, texts []string, seen map[string]bool) {
	for _, text := range texts {
		if !seen[text] {
			seen[text] = true
			message(w, kind, text)
		}
	}
}

func message(w io.Writer, kind, text string) {
	// Nothing is left to tell when even stderr is gone.
	_, _ = fmt.Fprintf(w, "walferry: %s: %s\n", kind, strings.TrimSpace(text))
}
