// Package filter matches edges by terms such as
//
//	client.namespace=prod server.zone!=a *pay*
//
// In comes a text from a user: its length is bounded, and parsing it never panics. Out goes a [Filter], or an
// [*Error] that says where the text is wrong. A Filter is immutable, and safe for concurrent use; a [Matcher] of it is
// for one goroutine. docs/netmap-api.md describes the grammar.
package filter
