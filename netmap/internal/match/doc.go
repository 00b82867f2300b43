// Package match makes edges of reports. A report is what one end says about an edge. Out come the edges, each once,
// whether one end reports it or both, with the tags of each end that are certain.
//
// Three steps follow each other, each a pure function of the reports:
//
//   - [NewIndex] finds the reports of one edge, by their keys, and which of them counts: the client's, unless it was
//     silent for long when the server's still came.
//   - [NewPeers] finds the ends that report themselves, and so who the peer of a report is.
//   - [Edges] makes an edge of each report that counts, and adds the retransmits of the other report to it.
//
// Reports are named by their index in the slice that they come in; a report without a local end is none. Index and
// Peers hold that slice, and are not safe for concurrent use. Times are Unix seconds.
package match
