// Passkeys (WebAuthn): this browser's side of it. The station decides; nothing secret leaves the authenticator.

import * as api from "./api.js";

/** Whether this browser can have passkeys at this address. */
export const available = () => "PublicKeyCredential" in window && isSecureContext;

async function asked(sign) {
  const begun = await api.post("/console/passkey/enter/begin", sign ? { sign } : {});
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(begun.publicKey ?? begun);
  return (await navigator.credentials.get({ publicKey })).toJSON();
}

/** Sign in with a passkey. Raises Failed, or a DOMException where the person or the browser says no. */
export async function enter() {
  return api.post("/console/passkey/enter/finish", { credential: await asked("") });
}

/** Unlock with the passkey of whoever locked. Raises as `enter`. */
export async function unlock(sign) {
  return api.post("/console/unlock", { credential: await asked(sign) });
}

/** Make a passkey for whoever is signed in. Raises as `enter`. */
export async function register(name = "") {
  const begun = await api.post("/console/passkey/register/begin");
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(begun.publicKey ?? begun);
  const credential = (await navigator.credentials.create({ publicKey })).toJSON();
  return api.post("/console/passkey/register/finish", name ? { credential, name } : { credential });
}

/** Ten new recovery codes; the ones before work no more. */
export const newCodes = async () => (await api.post("/console/recovery/codes")).codes;
