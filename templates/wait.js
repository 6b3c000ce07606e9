// button[data-wait]: disabled for so many seconds. [data-seconds] in it is the
// number, [data-waiting] what is shown only while it counts.
for (const button of document.querySelectorAll("button[data-wait]")) {
	const seconds = button.querySelector("[data-seconds]")
	const waiting = button.querySelector("[data-waiting]") || seconds
	const end = Date.now() + button.dataset.wait * 1000
	const tick = () => {
		const left = Math.max(0, Math.ceil((end - Date.now()) / 1000))
		button.disabled = left > 0
		if (seconds) seconds.textContent = left
		if (waiting) waiting.hidden = left === 0
		if (left > 0) setTimeout(tick, 250)
	}
	tick()
}
