if (location.hash.length > 1) {
	document.getElementById("ticket").value = location.hash.slice(1)
	history.replaceState(null, "", location.pathname)
}
