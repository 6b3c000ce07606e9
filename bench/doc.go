// Command bench measures what Stepgate costs: the same requests through a
// bare Caddy reverse_proxy and through one with Stepgate in front of it, with
// a verified session and every check on.
//
//	go run ./bench            # about three minutes
//	go run ./bench -quick     # does it run at all?
//	go run ./bench -profile cpu.pprof
//
// A machine that does other things at the same time is slow now and fast a
// moment later. So the variants take turns in short slices, and each slice is
// compared only with the two slices of bare Caddy around it. A second bare
// Caddy, measured the same way, is the control: its ratios show how much of a
// difference is chance. A third variant is a site without Stepgate in
// Stepgate's own process: what it differs from bare Caddy by comes from the
// process (a larger heap is collected less often), not from the request's way.
//
// Every proxy and the upstream are processes of their own, on free loopback
// ports, with data in a scratch folder. CPU is the kernel's accounting of each
// process.
package main
