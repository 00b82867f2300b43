// Package alerts knows which alerts of Prometheus or Alertmanager are about which ends of edges.
//
// In comes the answer to GET /api/v1/alerts of Prometheus or GET /api/v2/alerts of Alertmanager, once an interval
// ([Source.Run]). Out goes a [Set]: the alerts that are pending or firing, and for each end those that are about it.
// A Set never changes, so it is safe for concurrent use; a Source replaces it.
//
// Everything that a source sends is bounded: the bytes of an answer, the number of alerts, the labels of each, and the
// length of each text. Links are kept only if they begin with http:// or https://.
//
// A source that does not answer is a state of the Set, not an error. Its last alerts stay for [keep], because a moment
// without an answer does not end an alert; after that they are unknown.
package alerts
