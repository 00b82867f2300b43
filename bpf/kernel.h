/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The few kernel types that the programs read, with only the fields that they read. The offsets are relocated when a
 * program is loaded (CO-RE). A field that not every kernel has stands with its upstream commit. */
#ifndef NETCONN_KERNEL_H
#define NETCONN_KERNEL_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u16 __sum16;
typedef __u32 __wsum;

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_MPTCP 262

typedef _Bool bool;
#define true 1
#define false 0

/* include/net/tcp_states.h */
enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
	TCP_NEW_SYN_RECV,
};

/* include/net/sock.h, enum sock_flags */
#define SOCK_DONE 1

/* include/net/sock.h, sk_shutdown: close(), or shutdown() of both directions */
#define SHUTDOWN_MASK 3

/* include/net/sock.h: bind() chose the port. An accepted socket does not inherit it (sk_clone_lock). */
#define SOCK_BINDPORT_LOCK 8

/* include/linux/skbuff.h, in the lowest bits of sk_user_data: the socket is in a sockmap. Since Linux 6.0
 * (2a0133723f9e). */
#define SK_USER_DATA_PSOCK 4

/* include/uapi/linux/bpf.h */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_SK_STORAGE = 24,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_F_NO_PREALLOC = 1U << 0,
	BPF_F_CLONE = 1U << 9,
	BPF_F_MMAPABLE = 1U << 10,
	BPF_SK_STORAGE_GET_F_CREATE = 1,
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	__s64 counter;
} atomic64_t;

struct qspinlock {
	atomic_t val;
};

struct raw_spinlock {
	struct qspinlock raw_lock;
};

struct spinlock {
	struct raw_spinlock rlock;
};

typedef struct {
	struct spinlock slock;
	int owned;
} socket_lock_t;

struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};

struct ns_common {
	unsigned int inum;
};

/* net.ipv4.ip_local_port_range: one number since Linux 6.8 (d9f28735af87), two before. */
struct local_ports {
	__u32 range; /* the lowest port, and the highest << 16 */
};

struct local_ports___two {
	int range[2];
};

struct netns_ipv4 {
	struct local_ports ip_local_ports;
};

struct netns_ipv4___two {
	struct local_ports___two ip_local_ports;
};

struct net {
	struct ns_common ns;
	__u64 net_cookie; /* since Linux 5.12 (3d368ab87cf6) */
	struct netns_ipv4 ipv4;
};

struct net___two {
	struct netns_ipv4___two ipv4;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	unsigned long skc_flags;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
};

struct socket;
struct cgroup;

struct sock_cgroup_data {
	struct cgroup *cgroup; /* since Linux 5.15 (8520e224f547) */
};

struct sock {
	struct sock_common __sk_common;
	socket_lock_t sk_lock;
	atomic_t sk_drops;
	__u16 sk_protocol;
	__u8 sk_userlocks : 4;
	__u8 sk_shutdown;
	void *sk_user_data;
	int sk_err;
	int sk_err_soft;
	struct socket *sk_socket;
	struct sock_cgroup_data sk_cgrp_data;
};

struct inet_sock {
	struct sock sk;
	__be16 inet_sport;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u64 bytes_received;
	__u64 bytes_sent;
	__u64 bytes_acked;
	__u64 bytes_retrans;
	__u32 segs_in;
	__u32 segs_out;
	__u32 rcv_nxt;
	__u32 snd_nxt;
	__u32 snd_una;
	__u32 write_seq;
	__u32 srtt_us;
	__u32 mdev_us;
	__u32 total_retrans;
	__u32 rcv_ooopack;
	__u32 reord_seen;
	__u32 delivered_ce;
	__u32 lost;
	__u32 chrono_start;
	__u32 chrono_stat[3];
	__u8 chrono_type : 2;
	__u8 repair : 1;
	__u16 total_rto; /* since Linux 6.7 (3868ab0f1925) */
	__u16 total_rto_recoveries;
};

/* Multipath TCP, since Linux 5.6 (f870fa0b5768): the socket of a file, and the first of its TCP sockets. */
struct mptcp_sock {
	struct sock *first;
};

struct file;

struct socket {
	struct file *file;
	struct sock *sk;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
};

struct path {
	struct dentry *dentry;
};

struct file_operations;

struct file {
	struct path f_path;
	const struct file_operations *f_op;
	void *private_data;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct mm_struct {
	struct file *exe_file;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup_root {
	int hierarchy_id; /* 0: version 2 */
};

struct cgroup_subsys_state;

struct bpf_prog_aux {
	char name[16];
};

struct bpf_prog {
	struct bpf_prog_aux *aux;
};

struct bpf_prog_array_item {
	struct bpf_prog *prog;
};

struct bpf_prog_array {
	struct bpf_prog_array_item items[0]; /* the last one has no program */
};

/* since Linux 5.15 (6fc88c354f3a) */
enum cgroup_bpf_attach_type {
	CGROUP_INET4_CONNECT = 10,
	CGROUP_INET6_CONNECT,
};

struct cgroup_bpf {
	struct bpf_prog_array *effective[CGROUP_INET6_CONNECT + 1];
};

struct cgroup {
	struct kernfs_node *kn;
	int level;
	struct cgroup_root *root;
	struct cgroup_subsys_state *subsys[12];
	struct cgroup_bpf bpf;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
};

enum cgroup_subsys_id {
	memory_cgrp_id = 4,
};

struct css_set {
	struct cgroup_subsys_state *subsys[12];
	struct cgroup *dfl_cgrp;
};

struct nsproxy {
	struct net *net_ns;
};

struct task_struct {
	struct nsproxy *nsproxy;
	int pid;
	int tgid;
	struct files_struct *files;
	struct mm_struct *mm;
	struct css_set *cgroups;
	char comm[16];
};

struct bpf_map;
struct bpf_iter_meta;

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	struct sock *sk;
	void *value;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

union nf_inet_addr {
	__u32 all[4];
};

struct nf_conntrack_man {
	union nf_inet_addr u3;
	union {
		__be16 all;
	} u;
	__u16 l3num;
};

struct nf_conntrack_tuple {
	struct nf_conntrack_man src;
	struct {
		union nf_inet_addr u3;
		union {
			__be16 all;
		} u;
	} dst;
};

struct nf_conntrack_tuple_hash {
	struct nf_conntrack_tuple tuple;
};

struct ip_ct_tcp {
	__u8 state;
};

struct nf_conn {
	struct nf_conntrack_tuple_hash tuplehash[2];
	union {
		struct ip_ct_tcp tcp;
	} proto;
};

#pragma clang attribute pop

#endif
