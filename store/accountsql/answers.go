package accountsql

import (
	"errors"

	"github.com/stepgate/stepgate/accounts"
)

// answers are the errors that say something certain. All others mean that the
// store could not tell.
var answers = []error{
	accounts.ErrSpent, accounts.ErrAlreadyBound,
	accounts.ErrPersonExists, accounts.ErrNoPerson, accounts.ErrNoLink, accounts.ErrPasswordChanged,
	accounts.ErrNotBound, accounts.ErrNoCredential, accounts.ErrLast, accounts.ErrNoContact, accounts.ErrShared, accounts.ErrNoBrowser,
	accounts.ErrNoTicket, accounts.ErrNoRequest, accounts.ErrDecided,
}

// Answer is the answer that err is, nil if it is none.
func Answer(err error) error {
	for _, answer := range answers {
		if errors.Is(err, answer) {
			return answer
		}
	}
	return nil
}
