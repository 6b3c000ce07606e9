"use strict";

// A console's ordinary script: it knows its own API and nothing of a gateway.

const problems = document.getElementById("script-error");

function say(text) {
  problems.textContent = text;
  problems.hidden = false;
}

async function quickDelete(button) {
  button.disabled = true;
  try {
    const answer = await fetch("/api/keys/" + encodeURIComponent(button.dataset.delete), {
      method: "DELETE",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify({ confirm: "yes" }),
    });
    if (answer.ok) {
      location.reload();
      return;
    }
    say(answer.status === 401
      ? "The server wants you to sign in again. Reload this page."
      : "The key was not deleted (status " + answer.status + ").");
  } catch {
    say("The server cannot be reached.");
  }
  button.disabled = false;
}

for (const button of document.querySelectorAll("[data-delete]")) {
  button.hidden = false;
  button.addEventListener("click", () => quickDelete(button));
}

const live = document.getElementById("live");
if (live) {
  new EventSource(live.dataset.events).onmessage = (event) => {
    const now = JSON.parse(event.data);
    live.textContent = now.requests;
    document.getElementById("live-time").textContent = "at " + now.time + " UTC";
  };
}
