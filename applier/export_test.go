package applier

// WriteAsSetFrom makes a run write the changes of a table as a set from n changes on.
func (a *Applier) WriteAsSetFrom(n int) { a.few = n }
