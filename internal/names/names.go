// Package names holds the names that netconn's parts share: keys and values of attributes, names of metrics,
// the tags of the network map, and the rules by which a container is known to be a proxy. Each name is written
// here once.
//
// The package is data with look-ups. Nothing here reads, writes or fails, all of it is safe for concurrent use,
// and it imports nothing but the standard library, so that the receiver, the network map and the programs can
// all import it.
//
// The network map's page has the same names: go generate writes them to netmap/web/src/names.ts.
package names

//go:generate go run ./typescript ../../netmap/web/src/names.ts
