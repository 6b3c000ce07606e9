// Package challenge owns the flows in which a person passes a second factor
// or binds the first one.
//
// A challenge is bound to a session, a subject, a site and a purpose; it has
// an expiry and an attempt budget of its own, besides the subject's budget
// over all challenges. Flow.Show says what to ask; Flow.Submit takes an
// answer as a row of steps, each of which hands on or ends in a Result. In
// every path the order is: spend the attempt, compare, spend the code and the
// challenge, and only then say that it was passed.
package challenge
