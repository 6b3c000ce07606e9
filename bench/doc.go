// Command bench measures what Stepgate costs and how it grows.
//
//	go run ./bench                       # everything; needs root on Debian
//	go run ./bench -only requests,tls    # the price of a verified request, eleven minutes
//	go run ./bench -quick                # does it run at all?
//	go run ./bench -only requests -profile cpu.pprof
//	go run ./bench -only growth -redis 127.0.0.1:6379 -postgres 'host=/run/postgresql dbname=bench'
//
// # Requests
//
// The same requests go through a bare Caddy reverse_proxy and through others:
// with Stepgate and embedded files, with Stepgate on Redis and PostgreSQL,
// with forward_auth to a service that says yes, and with one Redis read. A
// machine that does other things at the same time is slow now and fast a
// moment later. So the variants take turns in short slices, and each slice is
// compared only with the two slices of bare Caddy around it. A second bare
// Caddy, measured the same way, is the control: its ratios show how much of a
// difference is chance. "Beside" is a site without Stepgate in Stepgate's own
// process: what it differs from bare Caddy by comes from the process (a
// larger heap is collected less often), not from the request's way.
//
// # Everything else
//
// operations counts what verified requests ask of the stores; revocation is
// how long an ended session lives on other nodes; growth fills the stores
// with a million sessions and accounts; storm lets 10,000 people log in
// within a minute; challenges leaves 100,000 of them half open.
//
// Every proxy, store and the upstream are processes of their own, on free
// loopback ports, with data in a scratch folder. CPU is the kernel's
// accounting of each process. As root, Redis and PostgreSQL come from
// Debian's packages, which are unpacked and not installed (e2e/debian.sh);
// otherwise name servers that run already and are empty: one part fills them,
// or the first three together.
package main
