package conntrack

// One object serves every little-endian machine: nothing in it depends on the architecture.
//go:generate go tool -modfile=../tools/go.mod bpf2go -cc clang-16 -strip llvm-strip-16 -target bpfel -tags linux -type lookup conntrack ../../bpf/conntrack.bpf.c -- -O2 -g -Wall -Werror -mcpu=v3 -I../../bpf/libbpf
