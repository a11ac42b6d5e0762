package snapshot

// Step says how far a stage of the work is.
type Step struct {
	// Stage is what is being done: "pulling", "unpacking", "exporting".
	Stage string
	// Unit is what Done and Total count: "bytes" or "layers".
	Unit        string
	Done, Total int64 // Total is 0 where it is not known
}
