// Whether a reply is what a page shows of it: every member shown is there, of the same kind.
const varying = /\d|^$/;

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

/**
 * What of `shown` is otherwise in `real`, as `path: …`. Numbers may differ, and so may texts with
 * a digit in them (times, ids, addresses); other texts, `true` and `false` may not. A null on
 * either side stands for a value there may or may not be.
 */
export function differences(shown: unknown, real: unknown, path = "reply"): string[] {
  if (real === undefined) return [`${path}: shown, not there`];
  if (shown === null || real === null) return [];
  if (kindOf(shown) !== kindOf(real)) {
    return [`${path}: shown as ${kindOf(shown)}, is ${kindOf(real)}`];
  }
  if (Array.isArray(shown) && Array.isArray(real)) {
    if (shown.length > 0 && real.length === 0) return [`${path}: shown with elements, is empty`];
    return shown.flatMap((element, i) => {
      const last = Math.min(i, real.length - 1);
      return differences(element, real[last], `${path}[${i}]`);
    });
  }
  if (typeof shown === "object" && typeof real === "object") {
    return Object.entries(shown).flatMap(([name, value]) =>
      differences(value, (real as Record<string, unknown>)[name], `${path}.${name}`),
    );
  }
  const fixed = typeof shown === "boolean" || (typeof shown === "string" && !varying.test(shown));
  return fixed && shown !== real ? [`${path}: shown as ${shown}, is ${String(real)}`] : [];
}

/** The last line of the output that holds a JSON document; undefined without one. */
export function lastJson(output: string): unknown {
  const lines = output.split("\n").filter((line) => /^[{[]/.test(line));
  const last = lines.at(-1);
  return last === undefined ? undefined : JSON.parse(last);
}

/** What of the head and the body shown is otherwise in what `curl -i` wrote. */
export function httpDifferences(shown: string, real: string): string[] {
  const [head = "", body] = shown.split("\n\n");
  const fields = new Map(
    [...real.matchAll(/^([a-z-]+): (.*)$/gim)].map(([, name, value]) => [
      name!.toLowerCase(),
      value!.trim(),
    ]),
  );
  const missing = head.split("\n").flatMap((line) => {
    const [, name, value] = /^([a-z-]+): (.+)$/.exec(line) ?? [];
    if (name === undefined) return real.includes(line) ? [] : [`${line}: not there`];
    const own = fields.get(name);
    if (own === undefined) return [`${name}: shown, not there`];
    const fixed = !varying.test(value!);
    return fixed && own !== value ? [`${name}: shown as ${value}, is ${own}`] : [];
  });
  if (body === undefined) return missing;
  return [...missing, ...differences(JSON.parse(body), lastJson(real))];
}
