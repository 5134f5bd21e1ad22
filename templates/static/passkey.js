// Asks the browser for a passkey and posts its answer. The only script there is: without it every page goes on.
"use strict";
{
  const form = document.querySelector("form[data-passkey]");
  const told = ["NotAllowedError", "InvalidStateError"];
  let waiting = new AbortController();

  async function ask(more) {
    waiting.abort();
    waiting = new AbortController();
    const options = JSON.parse(form.dataset.options);
    const found = form.dataset.passkey === "create"
      ? await navigator.credentials.create({
          publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options), signal: waiting.signal })
      : await navigator.credentials.get({
          publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options), signal: waiting.signal, ...more });
    form.elements.code.value = JSON.stringify(found);
    form.submit();
  }

  function say(name) {
    for (const line of form.querySelectorAll("[data-error]")) line.hidden = line.dataset.error !== name;
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    say(null);
    try {
      await ask({});
    } catch (error) {
      if (error.name !== "AbortError") say(told.includes(error.name) ? error.name : "other");
    }
  });

  // Beside the username the browser offers what it has; if it has nothing, that is nobody's mistake.
  if ("offered" in form.dataset && window.PublicKeyCredential?.isConditionalMediationAvailable) {
    PublicKeyCredential.isConditionalMediationAvailable()
      .then((can) => (can ? ask({ mediation: "conditional" }) : null))
      .catch(() => null);
  }
}
