package rival

//go:generate go tool -modfile=../../tools/go.mod bpf2go -cc clang-16 -strip llvm-strip-16 -target bpfel -tags linux -type tuple -type traffic rival bpf/rival.bpf.c -- -O2 -g -Wall -Werror -mcpu=v3 -I../../../bpf/libbpf
