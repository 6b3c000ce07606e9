// Package selfservice is what people do with what is their own: their factors,
// contacts, recovery codes, browsers and sessions. It holds the rules of the
// security page and knows neither requests nor pages.
//
// Whoever calls it has made sure that the person of a verified session asks,
// that a form of ours was sent, and, for all that adds or changes something,
// that a second factor was passed just now. What a session may take away
// depends on how strong that factor was.
package selfservice
