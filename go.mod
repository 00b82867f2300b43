module github.com/netconn/netconn

go 1.26
