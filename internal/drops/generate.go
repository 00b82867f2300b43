package drops

// One object serves every little-endian machine: nothing in it depends on the architecture.
//go:generate go tool -modfile=../tools/go.mod bpf2go -cc clang-16 -strip llvm-strip-16 -target bpfel -tags linux -type drop_key -type drop_size kernel ../../bpf/drops.bpf.c -- -O2 -g -Wall -Werror -mcpu=v3 -I../../bpf/libbpf
