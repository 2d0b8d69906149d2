/** The calculator's entry. It asks no service: everything is worked out in the page. */
import { render } from "preact";
import { App } from "./app.tsx";

const main = document.getElementById("capacity")!;
main.textContent = "";
render(<App />, main);
