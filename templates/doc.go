// Package templates is everything that a person sees: the pages, their style
// and their texts in English and Simplified Chinese. Pages are rendered here
// and need no script, but for a passkey; a few have one that saves people a step. What a
// page is about comes in as a [View]; the package knows nothing of sessions,
// challenges or Caddy.
//
// # Overlays
//
// An operator can change the pages by a directory, [Options].Overlay. All of
// it is optional; [New] renders every page in every language and state with
// it, and an error names the file and the line. A file that is not in this
// list is an error too, since it is a misspelt name more often than a note;
// names that begin with a dot are left alone.
//
//	style.css          appended to the built-in style
//	logo.svg           the mark in the header, 32 px high, up to 160 px wide
//	favicon.svg        the icon of the tab; without it the logo
//	texts.en.json      texts to replace, by key
//	texts.zh.json
//	pages/NAME.html    a page to replace: challenge, sentcode, passkey, recovery,
//	                   ticket, stuck, requestfiled; enroll, enrollpasskey,
//	                   enrollcontact, enrollsent; notice, signin, signout,
//	                   password, newpassword, link; security, ownlist, change,
//	                   newcodes, recovered, noticed;
//	                   layout (the frame around all), parts (what they share)
//
// Style. Since the overlay's style.css comes last, a house style is often no
// more than
//
//	:root { --accent: #00695c; --accent-strong: #004d40 }
//	@media (prefers-color-scheme: dark) {
//		:root { --accent: #4db6ac; --accent-strong: #80cbc4; --on-accent: #00251a }
//	}
//
// The properties stand at the top of the built-in file. The body has the
// name of its page for a class, with it "locked" while nothing is taken,
// "expired" for an old key, and "good", "info" or "stop" for a notice.
// Styles can load nothing from elsewhere; the Content-Security-Policy forbids
// it.
//
// Texts. The files are JSON objects of strings. They may hold any of the keys
// of the built-in files; a key that does not exist is an error, and so is a
// placeholder like {account} that got lost or was added. Texts are plain text:
// markup in them is shown, not obeyed. The keys under "format" are times as
// Go's package time writes layouts. A text for one is "….one", for all other
// numbers "….other".
//
// Pages. A page is a file of html/template that defines "title" and "main"; it
// sees a [Page], whose View is one of the types that are named after the pages.
// Forms have to keep their fields:
//
//	POST to the page itself    challenge={{.View.ID}} and what the page asks for:
//	                           code; code1 and code2, or fresh=1 for a new
//	                           key; address; name; answer and failure of a
//	                           passkey; trust=1 to trust this browser
//	                           do=send    send a code; kind=sms or email
//	                                      where several could be asked
//	                           do=again   another number or address
//	                           do=enable  use it as a factor
//	                           do=file    file a request without a code
//	GET of the page itself     id={{.View.ID}}, factor: another way, or "stuck"
//	POST {{.Base}}/cancel      challenge={{.View.ID}}
//	POST {{.Base}}/signin/password?return={{.View.Return}}   name, password
//	POST {{.Base}}/signin/password/link     ticket; with password1, password2
//	POST {{.Base}}/signin/password/change   password, password1, password2
//	POST {{.Base}}/security/...             token={{.View.Token}} and what the page
//	                                        names: id, kind, factor, name, return
//
// A layout has to end in {{.Scripts}}, before </body>: there stand the scripts
// of the few pages that have one. They find what they work on by attributes:
//
//	form#passkey               runs a passkey's ceremony: data-mode, data-options,
//	                           the fields answer and failure, a button without a name
//	[data-failure=NAME]        hidden; shown when it failed so: the name of a
//	                           DOMException, "unsupported", or "other" for the rest
//	button[data-wait=SECONDS]  disabled; counts down in [data-seconds], and hides
//	                           [data-waiting] when it is over
//	[data-print]               hidden; prints the page
//
// Beside what html/template brings, pages can call
//
//	t KEY NAME VALUE …   a text with its placeholders filled
//	count KEY N          the text KEY.one or KEY.other
//	bdi NAME             a name, kept from disturbing the text around it
//	code NAME            the same, for copying
//	date T, hour T, moment T, clock T   a time, in UTC
//	span D, until T1 T2  a rough duration
//	browser UA           what people call a User-Agent
//	event NAME           what happened, in words
//	qr URL LABEL         a QR code
//	otpauth URL          a link that opens an authenticator app
//	hostOf URL           the host of a link, "" if it stays here
//
// # Languages
//
// The language is the best match of Accept-Language, unless the person chose
// one by the link in the header; the choice lies in a cookie of its own, which
// says nothing else.
package templates
