/** The API's reference at /docs: Swagger UI over the service's own /openapi.json. */

import { forgetKey, gate } from "../tab-key.ts";

/** As much of swagger-ui-bundle.js, which the page loads first, as is used here. */
type SwaggerUi = (options: Readonly<Record<string, unknown>>) => unknown;
interface Asked {
  url: string;
  headers: Record<string, string>;
}

const dark = matchMedia("(prefers-color-scheme: dark)");

function showScheme(): void {
  document.documentElement.classList.toggle("dark-mode", dark.matches);
}

/** Adds this tab's key to what is asked of this service, where none was entered here. */
function withKey(request: Asked): Asked {
  const isOwn = new URL(request.url, location.href).origin === location.origin;
  if (gate.key === null || !isOwn || "Authorization" in request.headers) return request;
  const headers = { ...request.headers, Authorization: `Bearer ${gate.key}` };
  return { ...request, headers };
}

/** Says that there is a key, and forgets it where that is wished. */
function showKey(): void {
  if (gate.key === null) return;
  const words = document.createElement("span");
  words.textContent = "Asks with this tab's key";
  const forget = document.createElement("button");
  forget.type = "button";
  forget.id = "forget-key";
  forget.textContent = "Forget key";
  forget.addEventListener("click", forgetKey);
  document.querySelector(".docs-head")?.append(words, forget);
}

showScheme();
showKey();
dark.addEventListener("change", showScheme);
const { SwaggerUIBundle: show } = globalThis as unknown as { SwaggerUIBundle: SwaggerUi };
show({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  // Else it would send the description to a service of others.
  validatorUrl: null,
  // Keys entered by Authorize are forgotten with the page.
  persistAuthorization: false,
  requestInterceptor: withKey,
  // Commands are shown as without that, so that nobody copies the key along.
  showMutatedRequest: false,
});
