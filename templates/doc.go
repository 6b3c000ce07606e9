// Package templates is everything that a person sees.
package templates
