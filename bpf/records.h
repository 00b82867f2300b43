/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The wire format: every struct that crosses between the kernel and Go, in the byte order of the machine. Addresses are
 * 16 bytes, IPv4 mapped into ::ffff:0:0/96. Ports are in host order. Times are nanoseconds of the monotonic clock.
 * bpf2go exports the structs and enums, so that no size and no number is written in both languages. */
#ifndef NETCONN_RECORDS_H
#define NETCONN_RECORDS_H

/* Sizes of names, with the terminating zero. A name that fills its field may have been cut. */
enum size {
	EXECUTABLE_SIZE = 32,
	CGROUP_PATH_SIZE = 512,
};

enum record_kind {
	RECORD_CONNECTION = 1,
	RECORD_LISTENER = 2,
	RECORD_CGROUP = 3,
	RECORD_DNS = 4,
	RECORD_DNS_SERVER = 5,
};

enum role {
	ROLE_UNKNOWN = 0,
	ROLE_CLIENT = 1,
	ROLE_SERVER = 2,
};

enum phase {
	PHASE_OPEN = 0,
	PHASE_CLOSED = 1,
	PHASE_FAILED = 2,
};

/* The process that opened a socket. pid 0: unknown. */
struct process {
	__u64 cgroup;	 /* of version 2 */
	__u64 cgroup_v1; /* of the memory controller, if that is in version 1: each version counts ids from 1 */
	__u32 pid;
	char executable[EXECUTABLE_SIZE];
	__u32 reserved;
};

/* Totals of 64 bits: payload, without SYN and FIN, retransmitted bytes once. */
enum count64 {
	SENT,
	RECEIVED,
	COUNTS64,
};

/* Totals of 32 bits, each with the field of struct tcp_sock in which the kernel counts it. */
#define FOR_EACH_COUNT32(DO)                                                                                           \
	DO(SEGMENTS_SENT, segs_out)                                                                                    \
	DO(SEGMENTS_RECEIVED, segs_in)                                                                                 \
	DO(RETRANSMITS, total_retrans)                                                                                 \
	DO(OUT_OF_ORDER, rcv_ooopack)                                                                                  \
	DO(REORDERING, reord_seen)                                                                                     \
	DO(CE, delivered_ce)                                                                                           \
	DO(LOST, lost)

/* The same, of fields that Linux has since 6.7 (3868ab0f1925). Before, they stay 0. */
#define FOR_EACH_LATER_COUNT32(DO)                                                                                     \
	DO(TIMEOUTS, total_rto)                                                                                        \
	DO(RECOVERIES, total_rto_recoveries)

/* The first three are times in jiffies, which the kernel counts by what limits the sender: enum tcp_chrono of
 * include/linux/tcp.h, since Linux 4.10 (05b055e89121). */
#define NAME_COUNT32(name, field) name,
enum count32 {
	BUSY,
	LIMITED_BY_RECEIVER,
	LIMITED_BY_BUFFER,
	FOR_EACH_COUNT32(NAME_COUNT32) FOR_EACH_LATER_COUNT32(NAME_COUNT32)
		BYPASSED, /* 1: payload may have passed by TCP, see sockmap.h */
	COUNTS32,
};
#undef NAME_COUNT32

/* What the kernel counted on one socket. The totals never fall; the two times may. */
struct counters {
	__u64 count64[COUNTS64];
	__u32 count32[COUNTS32];
	__u32 rtt_us; /* 0: no sample yet */
	__u32 rtt_variation_us;
	__u32 reserved;
};

/* The error of an end that was read late, when the application may have taken the errno from the socket. */
enum unknown_error {
	ERROR_UNKNOWN = 0xffff,
};

struct connection_record {
	__u32 kind;
	__u32 generation;
	__u64 cookie;
	struct process process;
	struct counters counters;
	__u64 time_ns; /* of this record */
	__u64 age_ns;
	__u64 handshake_ns;
	__u64 netns_cookie; /* never reused, unlike the inode; 0: not known */
	__u8 local[16];
	__u8 remote[16];
	__u32 isn_local;
	__u32 isn_remote;
	__u32 netns;
	__u16 local_port;
	__u16 remote_port;
	__u16 error; /* errno, or ERROR_UNKNOWN. 0 is a cancelled attempt in PHASE_FAILED, a proper end in PHASE_CLOSED
		      */
	__u8 role;
	__u8 phase;
	__u8 seen_opening;
	__u8 transparent;  /* its listener has another port */
	__u8 connect_hook; /* a BPF program ran in connect(), which may have replaced the destination */
	__u8 ports_role;   /* if role is unknown: the role that the two ports show */
};

struct listener_record {
	__u32 kind;
	__u32 netns;
	__u64 cookie;
	struct process process;
	__u8 local[16];
	__u32 drops;
	__u32 generation;
	__u16 local_port;
	__u8 closed;
	__u8 reserved[5];
};

/* A new cgroup. The path is relative to the root of its hierarchy. */
struct cgroup_record {
	__u32 kind;
	__u32 v1; /* of the memory controller's hierarchy of version 1 */
	__u64 id;
	char path[CGROUP_PATH_SIZE];
};

/* Sums over the connections whose end found the ring full, one entry per processor; see conn.Losses. */
struct losses {
	__u64 opened;
	__u64 failed;
	__u64 closed;
	__u64 known;
	__u64 sent;
	__u64 received;
	__u64 retransmits;
};

/* A query for conntrack's entry of one packet, and the kernel's answer. */
struct lookup {
	__u8 source[16];
	__u8 destination[16];
	__u16 source_port;
	__u16 destination_port;
	__s32 netns; /* id of the network namespace to ask in, relative to that of the asking thread */
	__u16 zone;
	__u8 protocol;
	__u8 reserved;
	__s32 error;	       /* 0, or a negative errno: then nothing below is set */
	__u8 other_source[16]; /* the entry's tuple of the other direction */
	__u8 other_destination[16];
	__u16 other_source_port;
	__u16 other_destination_port;
	__u8 direction; /* of the packet: 0 original, 1 reply */
	__u8 tcp_state; /* enum tcp_conntrack, include/uapi/linux/netfilter/nf_conntrack_tcp.h */
	__u16 padding;
};

/* What is copied of a DNS message, with the record: a record has one of three sizes. */
enum dns_size {
	DNS_SMALL = 128,
	DNS_MEDIUM = 512,
	DNS_LARGE = 1280,
};

/* A query without an answer so far: in a map, by its key. The remote address is as the application sees it, before any
 * translation in its own network namespace. */
struct dns_key {
	__u64 socket; /* cookie; of a TCP server, the cgroup */
	__u8 remote[16];
	__u16 remote_port;
	__u16 id;
	__u8 server;
	__u8 protocol;
	__u16 reserved;
};

struct dns_query {
	__u64 time_ns;
	__u64 netns_cookie;
	struct process process; /* of a client; of a server, only the cgroup */
	__u8 local[16];
	__u32 netns;
	__u32 resent; /* earlier queries with the same key that had no answer */
	__u16 local_port;
	__u16 reserved[3];
};

/* A response, with the beginning of the message behind it. */
struct dns_record {
	__u32 kind; /* enum record_kind */
	__u32 resent;
	__u64 time_ns;
	__u64 latency_ns; /* 0: the query was not seen */
	__u64 netns_cookie;
	struct process process;
	__u8 local[16];
	__u8 remote[16];
	__u32 netns;
	__u16 local_port;
	__u16 remote_port;
	__u16 size;	/* of the message */
	__u16 captured; /* of it, behind this record */
	__u8 role;
	__u8 protocol;
	__u16 reserved;
};

/* A socket that is bound to a port of DNS. */
struct dns_server_record {
	__u32 kind;
	__u32 reserved;
	__u64 cgroup;
};

/* Every early return of the DNS programs that loses something; one entry per processor. */
enum dns_counter {
	DNS_COUNT_RING_REFUSED,	   /* the ring was full: a response is not reported */
	DNS_COUNT_QUERIES_REFUSED, /* the map was full: the query has no latency, and is no timeout */
	DNS_COUNT_UNREADABLE,	   /* an IPv6 header or a message that is not read */
	DNS_COUNTERS,
};

/* Every early return that loses something, and what was tracked; one entry per processor. */
enum counter {
	COUNT_STORAGE_REFUSED, /* the kernel had no memory for a socket's state: it is not reported */
	COUNT_NO_ROOM,	       /* a socket had no room for its state: it is not reported */
	COUNT_UNOWNED, /* the process behind a connection is not known, or is process 1, which listens for others */
	COUNT_ENDED_UNTRACKED, /* a connection without state ended: it was not adopted, or had no room */
	COUNT_RING_REFUSED,    /* the ring of ended connections was full */
	COUNT_FAILED_REFUSED,  /* the ring of failed attempts was full */
	COUNT_SNAPSHOT_AGAIN,  /* the ring of the snapshot was full: it was emptied, and the socket read again */
	COUNT_TRACKED,	       /* sockets that got state */
	COUNT_ADOPTED,	       /* sockets older than netconn */
	COUNT_DESTROYED,       /* sockets with state that were destroyed */
	COUNTERS,
};

_Static_assert(sizeof(struct process) == 56, "process");
_Static_assert(sizeof(struct counters) == 80, "counters");
_Static_assert(sizeof(struct connection_record) == 240, "connection_record");
_Static_assert(sizeof(struct listener_record) == 104, "listener_record");
_Static_assert(sizeof(struct cgroup_record) == 528, "cgroup_record");
_Static_assert(sizeof(struct losses) == 56, "losses");
_Static_assert(sizeof(struct lookup) == 88, "lookup");
_Static_assert(sizeof(struct dns_key) == 32, "dns_key");
_Static_assert(sizeof(struct dns_query) == 104, "dns_query");
_Static_assert(sizeof(struct dns_record) == 136, "dns_record");
_Static_assert(sizeof(struct dns_server_record) == 16, "dns_server_record");

/* UDP: what one socket exchanged with one peer. Payload without headers; a datagram is one in the sense of send() and
 * recv(), however many packets carried it. */
struct datagram_counts {
	__u64 sent;
	__u64 received; /* delivered to the socket */
	__u32 datagrams_sent;
	__u32 datagrams_received;
	__u32 drops;  /* received, and dropped because the socket's buffer was full */
	__u32 errors; /* that the kernel left in the socket */
};

struct datagram_exchange {
	struct datagram_counts counts;
	__u64 opened_ns;
	__u8 local[16];	 /* of the packets: the socket may have none */
	__u8 actual[16]; /* destination of packets at the way out of the namespace, if it is not the one asked for */
	__u32 sent_hash; /* of the first packet of each direction; 0: none */
	__u32 received_hash;
	__u16 local_port;
	__u16 actual_port;
	__u16 error;   /* errno of the last error */
	__u8 answered; /* the first datagram was received */
	__u8 heard;    /* local is the destination of a received packet */
};

/* The key of an exchange beyond a socket's first. */
struct datagram_key {
	__u64 cookie;
	__u8 remote[16]; /* as the application asked for it */
	__u16 remote_port;
	__u16 reserved[3];
};

enum datagram_flags {
	DATAGRAMS_BOUND = 1,  /* the application named the local port */
	DATAGRAMS_HOOKED = 4, /* a BPF program runs in connect(), so the application may have asked for another peer */
	DATAGRAMS_OLDER = 2,  /* the socket is older than netconn, or than its first packet that was counted */
};

/* A socket with its first exchange. */
struct datagram_record {
	__u64 cookie;
	__u64 netns_cookie;
	struct process process;
	struct datagram_exchange first;
	struct datagram_counts rest; /* with peers that there was no room for */
	__u64 opened_ns;	     /* of the state */
	__u64 time_ns;		     /* of this record */
	__u8 remote[16];
	__u32 netns;
	__u16 remote_port;
	__u8 flags;
	__u8 closed;
};

/* A cgroup with a socket that uses UDP. */
struct cgroup_use {
	__u64 id;
};

enum datagram_counter {
	DATAGRAMS_STORAGE_REFUSED, /* the kernel had no memory for a socket's state */
	DATAGRAMS_RING_REFUSED,	   /* the end of a socket found the ring full */
	DATAGRAMS_LOST_SENT,	   /* payload bytes of such sockets that no snapshot had */
	DATAGRAMS_LOST_RECEIVED,
	DATAGRAMS_REST,	    /* datagrams with peers that there was no room for */
	DATAGRAMS_UNPARSED, /* packets with IPv6 extension headers */
	DATAGRAM_COUNTERS,
};

/* Dropped packets: their number, by this. */
struct drop_key {
	__u64 cgroup; /* of the socket that the packet was for, or from; 0: none is known */
	__u32 netns;  /* of that socket, or of the device; 0: not known */
	__u16 reason; /* enum skb_drop_reason, in the numbers of this kernel */
	__u8 protocol;
	__u8 reserved;
};

/* Reasons have numbers below this. The last one stands for those of subsystems. */
enum drop_size {
	DROP_REASONS = 256,
};

_Static_assert(sizeof(struct drop_key) == 16, "drop_key");
_Static_assert(sizeof(struct datagram_counts) == 32, "datagram_counts");
_Static_assert(sizeof(struct datagram_exchange) == 88, "datagram_exchange");
_Static_assert(sizeof(struct datagram_key) == 32, "datagram_key");
_Static_assert(sizeof(struct datagram_record) == 232, "datagram_record");

#endif
