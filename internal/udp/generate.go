package udp

// One object serves every little-endian machine: nothing in it depends on the architecture.
//go:generate go tool -modfile=../tools/go.mod bpf2go -cc clang-16 -strip llvm-strip-16 -target bpfel -tags linux -type process -type datagram_counts -type datagram_exchange -type datagram_key -type datagram_record -type cgroup_use -type datagram_counter -type datagram_flags datagrams ../../bpf/datagrams.bpf.c -- -O2 -g -Wall -Werror -mcpu=v3 -I../../bpf/libbpf
