// Package contacts is how people are reached: it reads the telephone numbers
// and mail addresses that they type, masks, seals and counts them, and carries
// codes and announcements to a person in the person's language.
//
// Several spellings of one address are one address here: a number is brought
// into E.164, and the digest that counts how many people share a contact is
// one for all addresses that end in the same mailbox.
package contacts
