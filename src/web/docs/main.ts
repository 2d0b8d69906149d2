/** The API's reference at /docs: Swagger UI over the service's own /openapi.json. */

/** As much of swagger-ui-bundle.js, which the page loads first, as is used here. */
type SwaggerUi = (options: Readonly<Record<string, unknown>>) => unknown;

const dark = matchMedia("(prefers-color-scheme: dark)");

function showScheme(): void {
  document.documentElement.classList.toggle("dark-mode", dark.matches);
}

showScheme();
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
});
