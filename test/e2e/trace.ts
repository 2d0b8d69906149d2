// Reads a trace of system calls (strace -f -y) for the one question: was each 202 written to its
// socket after a sync of the log that began once the event's own bytes were written?

export interface TraceVerdict {
  /** Replies 202 by the event they acknowledge, in the order of the trace. */
  acknowledged: string[];
  /** What is wrong, in words. */
  faults: string[];
  syncs: number;
}

interface Call {
  name: string;
  fd: number;
  /** What the descriptor is: a path, or `socket:[…]`. */
  file: string;
  /** The arguments as strace wrote them. */
  text: string;
  result: number;
  /** Places in the trace at which it began and ended. */
  begin: number;
  end: number;
}

const wholeCall = /^(\d+) +(\w+)\((\d+)<([^>]*)>(.*)\) += (-?\d+)/s;
const begunCall = /^(\d+) +(\w+)\((\d+)<([^>]*)>(.*) <unfinished \.\.\.>$/s;
const endedCall = /^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (-?\d+)/s;

/** The calls on descriptors, in the order in which they ended. */
function readCalls(trace: string): Call[] {
  const calls: Call[] = [];
  const begun = new Map<string, Omit<Call, "end" | "result">>();
  for (const [at, line] of trace.split("\n").entries()) {
    const whole = wholeCall.exec(line);
    if (whole !== null) {
      const [, , name, fd, file, text, result] = whole as unknown as string[];
      const numbers = { fd: Number(fd), result: Number(result), begin: at, end: at };
      calls.push({ name: name!, file: file!, text: text!, ...numbers });
      continue;
    }
    const start = begunCall.exec(line);
    if (start !== null) {
      const [, thread, name, fd, file, text] = start as unknown as string[];
      const call = { name: name!, fd: Number(fd), file: file!, text: text!, begin: at };
      begun.set(thread!, call);
      continue;
    }
    const rest = endedCall.exec(line);
    const call = rest === null ? undefined : begun.get(rest[1]!);
    if (rest === null || call === undefined) continue;
    begun.delete(rest[1]!);
    calls.push({ ...call, text: call.text + rest[3]!, result: Number(rest[4]), end: at });
  }
  return calls;
}

/** `marker` finds the names of events in what was read and written. */
export function judgeTrace(trace: string, marker: RegExp): TraceVerdict {
  const verdict: TraceVerdict = { acknowledged: [], faults: [], syncs: 0 };
  const calls = readCalls(trace);
  const isLog = ({ file }: Call) => file.endsWith(".log");
  const syncs = calls.filter((call) => {
    return isLog(call) && /^f(?:data)?sync$/.test(call.name) && call.result === 0;
  });
  verdict.syncs = syncs.length;
  const written = new Map<string, Call>();
  const asking = new Map<number, string>();
  for (const call of calls) {
    if (isLog(call) && /write/.test(call.name) && call.result > 0) {
      for (const [name] of call.text.matchAll(marker)) written.set(name, call);
    }
    if (!call.file.startsWith("socket:")) continue;
    if (/^(?:read|recv)/.test(call.name) && call.result > 0) {
      const name = call.text.match(marker)?.[0];
      if (name !== undefined) asking.set(call.fd, name);
    }
    if (!call.text.includes("HTTP/1.1 202")) continue;
    const name = asking.get(call.fd);
    if (name === undefined) {
      verdict.faults.push(`a 202 on descriptor ${call.fd} that nobody asked for`);
      continue;
    }
    asking.delete(call.fd);
    verdict.acknowledged.push(name);
    const write = written.get(name);
    const isCovered = syncs.some((sync) => {
      return write?.file === sync.file && sync.begin > write.end && sync.end < call.begin;
    });
    if (write === undefined) verdict.faults.push(`${name}: 202 before its bytes were written`);
    else if (!isCovered) verdict.faults.push(`${name}: 202 before the sync that covers it`);
  }
  return verdict;
}
