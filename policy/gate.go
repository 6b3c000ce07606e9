package policy

// Gate is what has to be proved before a factor is bound.
type Gate string

// The gates. Who binds right at login passes none.
const (
	NoGate      Gate = ""
	ByTicket    Gate = "ticket"  // of an administrator
	ByContact   Gate = "contact" // a code sent to a contact that is on file
	ByOldFactor Gate = "factor"  // one that is bound, and is to be replaced
)
