// UTF-8 by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF (Unicode 15,
// table 3-7).

// @ts-ignore: decorator
@inline
function isContinuation(byte: u32): bool {
  return (byte & 0xc0) == 0x80;
}

/**
 * Length of the well-formed sequence at `p`, 2..4, for a first byte of 0x80 and above;
 * 0 when it is not well-formed. Reads on only while the bytes continue the sequence, so that
 * an ASCII sentinel stops it.
 */
export function sequenceLength(p: usize): u32 {
  const a = <u32>load<u8>(p);
  const b = <u32>load<u8>(p, 1);
  if (a < 0xc2 || a > 0xf4 || !isContinuation(b)) return 0;
  if (a < 0xe0) return 2;
  const c = <u32>load<u8>(p, 2);
  if (!isContinuation(c)) return 0;
  if (a < 0xf0) {
    if (a == 0xe0 && b < 0xa0) return 0;
    if (a == 0xed && b > 0x9f) return 0;
    return 3;
  }
  if (a == 0xf0 && b < 0x90) return 0;
  if (a == 0xf4 && b > 0x8f) return 0;
  return isContinuation(<u32>load<u8>(p, 3)) ? 4 : 0;
}
