package decoder

import "os"

// CreateSpillWith replaces how spill files are opened.
func (a *Assembler) CreateSpillWith(create func(dir string) (*os.File, error)) {
	a.store.create = create
}

// Kept returns how many bytes transactions hold in memory and in files.
func (a *Assembler) Kept() (memory, spilled int64) { return a.store.memory, a.store.spilled }
