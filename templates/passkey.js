// form#passkey: data-mode "create" or "get", data-options the JSON of the
// ceremony, the fields answer and failure, one button without a name. What
// went wrong is said by the hidden elements with data-failure.
for (const form of document.querySelectorAll("form#passkey")) {
	const button = form.querySelector("button:not([name])")
	const create = form.dataset.mode === "create"

	const bytes = text => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), c => c.charCodeAt(0))
	const text = buffer => btoa(String.fromCharCode(...new Uint8Array(buffer)))
		.replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "")

	// Browsers older than WebAuthn level 3 neither read nor write JSON.
	const options = () => {
		const o = JSON.parse(form.dataset.options)
		const parse = PublicKeyCredential[create ? "parseCreationOptionsFromJSON" : "parseRequestOptionsFromJSON"]
		if (parse) return parse.call(PublicKeyCredential, o)
		o.challenge = bytes(o.challenge)
		if (o.user) o.user.id = bytes(o.user.id)
		for (const key of [].concat(o.excludeCredentials || [], o.allowCredentials || [])) key.id = bytes(key.id)
		return o
	}
	const answer = key => {
		try {
			return JSON.stringify(key.toJSON())
		} catch { // an older browser, or a password manager in its place
			const response = {}
			for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"])
				if (key.response[name]) response[name] = text(key.response[name])
			if (key.response.getTransports) response.transports = key.response.getTransports()
			return JSON.stringify({
				id: key.id, rawId: text(key.rawId), type: key.type, response,
				clientExtensionResults: key.getClientExtensionResults(),
			})
		}
	}

	const show = name => {
		const all = [...document.querySelectorAll("[data-failure]")]
		const shown = name && (all.find(e => e.dataset.failure === name) || all.find(e => e.dataset.failure === "other"))
		for (const e of all) e.hidden = e !== shown
		form.elements.failure.value = name
	}
	const busy = is => {
		button.disabled = is
		form.setAttribute("aria-busy", is)
	}

	const run = async () => {
		busy(true)
		show("")
		try {
			const key = await navigator.credentials[create ? "create" : "get"]({ publicKey: options() })
			form.elements.answer.value = answer(key)
			form.submit()
		} catch (e) {
			busy(false)
			show(e.name)
			button.focus()
		}
	}

	form.addEventListener("submit", event => {
		if (event.submitter && event.submitter !== button) return // another way, cancel
		event.preventDefault()
		if (!button.disabled) run()
	})
	// Back from the next page: the ceremony may be run again.
	addEventListener("pageshow", () => {
		form.elements.answer.value = ""
		busy(false)
		if (!window.PublicKeyCredential || !navigator.credentials) {
			button.disabled = true
			show("unsupported")
		}
	})
}
