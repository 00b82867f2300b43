/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The wire: every struct that crosses from the kernel to Go, in the byte order of the machine. Addresses are 16 bytes,
 * IPv4 mapped into ::ffff:0:0/96; ports are in host order; times are nanoseconds of the monotonic clock. */
#ifndef NETCONN_RECORDS_H
#define NETCONN_RECORDS_H

#define EXECUTABLE_SIZE 32
#define CGROUP_PATH_SIZE 512

enum record_kind {
	RECORD_CONNECTION = 1,
	RECORD_LISTENER = 2,
	RECORD_CGROUP = 3,
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

/* Set in the id of a cgroup of version 1 (of the memory controller's hierarchy): both versions number theirs from 1. */
#define CGROUP_V1 (1ULL << 63)

/* Who opened a socket. pid 0: unknown. */
struct process {
	__u64 cgroup;
	__u32 pid;
	char executable[EXECUTABLE_SIZE];
	__u32 reserved;
};

/* Totals of one connection; only the two times may fall. */
struct counters {
	__u64 sent;
	__u64 received;
	__u32 segments_sent;
	__u32 segments_received;
	__u32 retransmits;
	__u32 out_of_order;
	__u32 reordering;
	__u32 ce;
	__u32 lost;
	__u32 rtt_us;
	__u32 rtt_variation_us;
	__u32 reserved;
};

/* The end was seen late, when the application may have taken the errno: there was one, or not. */
#define ERROR_UNSEEN 0xffff

struct connection_record {
	__u32 kind;
	__u32 generation;
	__u64 cookie;
	struct process process;
	struct counters counters;
	__u64 age_ns;
	__u64 handshake_ns;
	__u64 netns_cookie; /* unlike the inode never another one's; 0: not known */
	__u8 local[16];
	__u8 remote[16];
	__u32 isn_local;
	__u32 isn_remote;
	__u32 netns;
	__u16 local_port;
	__u16 remote_port;
	__u16 error; /* errno at the end, or ERROR_UNSEEN; 0 is a cancel for PHASE_FAILED, a proper end for PHASE_CLOSED
		      */
	__u8 role;
	__u8 phase;
	__u8 seen_opening;
	__u8 transparent; /* accepted by a listener on another port */
	__u8 reserved[2];
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

/* A cgroup was made. path is relative to the root of its hierarchy, cut at the size. */
struct cgroup_record {
	__u32 kind;
	__u32 reserved;
	__u64 id;
	char path[CGROUP_PATH_SIZE];
};

/* What the ring of ended connections could not take, one entry per processor; see conn.Losses. */
struct losses {
	__u64 opened;
	__u64 failed;
	__u64 closed;
	__u64 known;
	__u64 sent;
	__u64 received;
	__u64 retransmits;
};

/* A question about conntrack's entry for one packet of a connection, and the kernel's answer. */
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
	__u8 direction; /* that the packet has: 0 original, 1 reply */
	__u8 tcp_state; /* enum tcp_conntrack, include/uapi/linux/netfilter/nf_conntrack_tcp.h */
	__u16 padding;
};

/* Every early return that loses something, one entry per processor. */
enum counter {
	COUNT_STORAGE_REFUSED, /* no memory for a socket's state: it is not reported */
	COUNT_UNOWNED,	       /* a connection whose opening process is not known, or is systemd for another one */
	COUNT_ENDED_UNTRACKED, /* a connection ended that was older than netconn and not adopted yet */
	COUNT_RING_REFUSED,    /* the ring of ended connections was full */
	COUNT_SNAPSHOT_AGAIN,  /* the ring of the snapshot was full: drained, and the socket read again */
	COUNT_TRACKED,	       /* sockets that got state */
	COUNT_ADOPTED,	       /* sockets older than netconn */
	COUNTERS,
};

_Static_assert(sizeof(struct process) == 48, "process");
_Static_assert(sizeof(struct counters) == 56, "counters");
_Static_assert(sizeof(struct connection_record) == 200, "connection_record");
_Static_assert(sizeof(struct listener_record) == 96, "listener_record");
_Static_assert(sizeof(struct cgroup_record) == 528, "cgroup_record");
_Static_assert(sizeof(struct losses) == 56, "losses");
_Static_assert(sizeof(struct lookup) == 88, "lookup");

#endif
