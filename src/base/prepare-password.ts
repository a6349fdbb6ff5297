/** What SCRAM takes the digest of: RFC 4013 in what it does to passwords that people type: spaces of all kinds, and compatibility forms. */
export function preparePassword(password: string): string {
  return password
    .replaceAll(/\p{Zs}|\u200b/gu, ' ')
    .replaceAll(/\u00ad|\u200c|\u200d|\u2060|\ufeff|\p{Variation_Selector}/gu, '')
    .normalize('NFKC');
}
