// Passkeys (WebAuthn): this browser's side of it. The station decides; nothing secret leaves the authenticator.

import * as api from "./api.js";

/** Whether this browser can have passkeys at this address. */
export const available = () => "PublicKeyCredential" in window && isSecureContext;

/** Sign in with a passkey. Raises Failed, or a DOMException where the person or the browser says no. */
export async function enter() {
  const begun = await api.post("/console/passkey/enter/begin");
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(begun.publicKey ?? begun);
  const credential = await navigator.credentials.get({ publicKey });
  return api.post("/console/passkey/enter/finish", credential.toJSON());
}

/** Make a passkey for whoever is signed in. Raises as `enter`. */
export async function register() {
  const begun = await api.post("/console/passkey/register/begin");
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(begun.publicKey ?? begun);
  const credential = await navigator.credentials.create({ publicKey });
  return api.post("/console/passkey/register/finish", credential.toJSON());
}
