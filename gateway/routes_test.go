package gateway

// SecurityPosts are the parts of the security page that do something, and
// whether they need a fresh pass: what the tests try must leave none out.
func SecurityPosts() map[string]bool {
	all := make(map[string]bool)
	for below, route := range securityRoutes {
		if route.do != nil {
			all[below] = !route.free
		}
	}
	return all
}

// SecurityPages are the parts that show something.
func SecurityPages() (all []string) {
	for below, route := range securityRoutes {
		if route.show != nil {
			all = append(all, below)
		}
	}
	return all
}
