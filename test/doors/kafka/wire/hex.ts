/** The bytes of `text`, in which spaces set the fields apart. */
export function unhex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}
