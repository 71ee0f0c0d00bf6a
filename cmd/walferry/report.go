package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/errors"
	"golang.org/x/term"

	"github.com/walferry/walferry/validate"
)

// shownObjects is how many objects with the same finding are shown for people.
const shownObjects = 8

// printReport writes the findings for people: errors first, what is said of several
// objects once.
func printReport(w io.Writer, report validate.Report) error {
	p := &printer{w: w}
	p.findings(report)
	if report.OK() {
		p.printf("Nothing blocks the migration.\n")
	} else {
		p.printf("The migration is blocked.\n")
	}
	return errors.Wrap(p.err, "write the report")
}

func (p *printer) findings(report validate.Report) {
	width := lineWidth(p.w)
	counts := map[validate.Severity]int{}
	for _, severity := range []validate.Severity{validate.Error, validate.Warning, validate.Info} {
		for _, same := range alike(report.Findings, severity) {
			counts[severity] += len(same)
			printAlike(p, width, same)
		}
	}
	if report.Method != "" {
		p.printf("%s\n", wrap("Method: "+string(report.Method)+".", width, 0))
	}
	p.printf("%s, %s, %s.\n", plural(counts[validate.Error], "error"), plural(counts[validate.Warning], "warning"), plural(counts[validate.Info], "note"))
}

// alike divides the findings of a severity into those that say the same of
// different objects, in order.
func alike(findings []validate.Finding, severity validate.Severity) (groups [][]validate.Finding) {
	place := map[[2]string]int{}
	for _, f := range findings {
		if f.Severity != severity {
			continue
		}
		key := [2]string{f.ID, f.Message}
		i, known := place[key]
		if !known {
			i = len(groups)
			place[key], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], f)
	}
	return groups
}

const indent = 2

func printAlike(p *printer, width int, same []validate.Finding) {
	first := same[0]
	word := string(first.Severity)
	if first.Severity == validate.Info {
		word = "note"
	}
	title := fmt.Sprintf("%-7s  %s", word, first.ID)
	if len(same) == 1 && first.Object != "" {
		title += ": " + first.Object
	}
	p.printf("%s\n%s\n", title, wrap(first.Message, width, indent))
	differs := func(of func(validate.Finding) string) bool {
		return slices.ContainsFunc(same, func(f validate.Finding) bool { return of(f) != of(first) })
	}
	detailDiffers := differs(func(f validate.Finding) string { return f.Detail })
	hintDiffers := differs(func(f validate.Finding) string { return f.Hint })
	if len(same) > 1 {
		shown := same[:min(len(same), shownObjects)]
		for _, f := range shown {
			p.printf("%s\n", wrap("- "+f.Object, width, indent))
			if detailDiffers && f.Detail != "" {
				p.printf("%s\n", wrap(f.Detail, width, 2*indent))
			}
			if hintDiffers && f.Hint != "" {
				p.printf("%s\n", wrap("-> "+f.Hint, width, 2*indent))
			}
		}
		if more := len(same) - len(shown); more > 0 {
			p.printf("%s\n", wrap("… and "+strconv.Itoa(more)+" more; --json lists all", width, indent))
		}
	}
	if !detailDiffers && first.Detail != "" {
		p.printf("%s\n", wrap(first.Detail, width, indent))
	}
	if !hintDiffers && first.Hint != "" {
		p.printf("%s\n", wrap("-> "+first.Hint, width, indent))
	}
	p.printf("\n")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// lineWidth is the terminal's width, within what is easy to read.
func lineWidth(w io.Writer) int {
	if file, ok := w.(*os.File); ok {
		if columns, _, err := term.GetSize(int(file.Fd())); err == nil {
			return min(max(columns, 40), 100)
		}
	}
	return 80
}

// wrap breaks a text between words; the lines that follow the first stand under
// its text.
func wrap(text string, width, indent int) string {
	var b strings.Builder
	lead := strings.Repeat(" ", indent)
	column := 0
	for n, word := range strings.Fields(text) {
		length := len([]rune(word))
		switch {
		case n == 0:
			b.WriteString(lead)
			column = indent
			if strings.HasPrefix(text, "-> ") {
				lead += "   "
			} else if strings.HasPrefix(text, "- ") {
				lead += "  "
			}
		case column+1+length > width:
			b.WriteString("\n" + lead)
			column = len(lead)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += length
	}
	return b.String()
}
