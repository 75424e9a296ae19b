/**
 * Every bound of the wire, with the relations between them asserted.
 *
 * Bounds of one part (mailboxes, batches, pools) stand in that part's own `limits.ts`; what client, edge and core
 * have to agree on stands here. Sizes are bytes, times are milliseconds unless the name says otherwise.
 */

export const limits = {
  /** Smallest and largest amount of one transaction, in the smallest unit of the program. */
  amountMin: 1,
  amountMax: 1_000_000_000_000,
  /** Balances stay inside the integers that a double holds exactly. */
  balanceMax: Number.MAX_SAFE_INTEGER,

  /** A request body; more answers 413. */
  bodyBytesMax: 16_384,
  /** Path and query together; more answers 414. */
  targetBytesMax: 2_048,
  /** Nesting of arrays and objects in a JSON body. */
  jsonDepthMax: 32,
  /** Idempotency-Key: printable ASCII without spaces. */
  idempotencyKeyCharsMax: 255,
  nameCharsMax: 140,
  referenceCharsMax: 140,
  reasonCharsMax: 140,
  externalIdCharsMax: 140,
  metadataMembersMax: 20,
  metadataKeyCharsMax: 40,
  metadataValueCharsMax: 200,

  /** How long a hold lasts before it is released by itself, where neither the request nor the program says. */
  holdSecondsDefault: 7 * 24 * 3_600,
  holdSecondsMax: 30 * 24 * 3_600,
  /** How long points last before they expire. */
  expiryMonthsMax: 120,
  expiryDaysMax: 3_650,

  /** `POST /v1/transactions/bulk`: its body, the lines in it, one line, the lines of one group, and a group's name. */
  bulkBytesMax: 1_048_576,
  bulkLinesMax: 5_000,
  bulkLineBytesMax: 4_096,
  bulkGroupLinesMax: 100,
  bulkGroupCharsMax: 64,
  /** So many lines, begun or full, are counted as one request of the key's plan: about what they cost. */
  bulkLinesPerRequest: 50,
  /** How long the origin works on one bulk request, and how much longer the rest of the answer may be under way. */
  bulkBudgetMs: 20_000,
  bulkAnswerGraceMs: 5_000,

  /** Earn rules: of one version, of one request, and versions of one program. */
  rulesMax: 10_000,
  rulesPerRequestMax: 100,
  rulesVersionsMax: 10_000,
  /** Of one rule: its points, the two numbers of a multiplier, SKUs, categories or channels, and their characters. */
  rulePointsMax: 1_000_000_000,
  ruleFactorMax: 1_000,
  ruleCodesMax: 100,
  ruleCodeCharsMax: 64,
  ruleCapsMax: 5,
  timeZoneCharsMax: 64,
  purchaseLinesMax: 100,
  /** Rules that a quote explains. */
  quoteRulesMax: 200,

  /** Versions of one program, and how far ahead of its creation one comes into force at the soonest. */
  programVersionsMax: 1_000,
  programVersionLeadMs: 60_000,

  /** Tiers of one program, versions of them, the longest window, and the longest grace. */
  tiersMax: 20,
  tierSchemesMax: 1_000,
  tierWindowDaysMax: 731,
  tierWindowMonthsMax: 24,
  tierGraceDaysMax: 366,

  /** Rewards: of one its stock, its limits, a limit's count, and the characters of its description. */
  rewardStockMax: 1_000_000_000,
  rewardLimitsMax: 8,
  rewardLimitMax: 1_000_000,
  rewardDescriptionCharsMax: 2_000,

  /** Payments: sources of one, and how long one that is held can be captured. */
  paymentSourcesMax: 10,
  paymentSecondsMax: 7 * 24 * 3_600,
  /** Rates of one program, and the two numbers of one. */
  paymentRatesMax: 10_000,
  ratePartMax: 1_000_000_000,
  /** Days of one report of liability. */
  liabilityDaysMax: 366,

  /** A gift card's code as it is typed: seventeen characters, and what people put between them. */
  codeTypedCharsMax: 64,
  /** Cards of one bulk issue. */
  batchCardsMax: 100_000,
  /** Bulk issues of one merchant that are not at their end; and those whose codes are not confirmed or deleted yet. */
  batchesOpenMax: 10,
  batchFilesMax: 100,
  /** How long the codes of a bulk issue wait, from its end on, to be fetched and confirmed. */
  batchFileDays: 30,

  /** Catalog: of one item, its versions, what is left of it, and the words of a search. */
  catalogDenominationsMax: 50,
  catalogCountriesMax: 250,
  catalogCategoriesMax: 20,
  catalogImagesMax: 5,
  catalogDescriptionCharsMax: 2_000,
  catalogVersionsMax: 1_000_000,
  catalogStockMax: 1_000_000_000,
  catalogQueryCharsMax: 100,

  /**
   * Customers: versions of one, consents recorded under its id (beyond, what is granted can still be withdrawn), and customers
   * who were merged into one.
   */
  customerVersionsMax: 1_000_000,
  customerConsentsMax: 1_000,
  customerMergesMax: 100,

  /** A token's id, the `jti` of a JWT. */
  tokenIdCharsMax: 128,
  /** Revocations that core tells the edge at once. */
  revocationRowsMax: 5_000,
  /** Revocations in force at one time: more could not be held by the edge, which would accept no token at all. */
  revocationsMax: 100_000,
  /** How far ahead a revocation ends at the latest. */
  revocationDaysMax: 400,

  pageRowsDefault: 25,
  pageRowsMax: 100,

  /** How far the signature's time may be from the origin's clock. */
  signatureWindowMs: 30_000,
  /** How long the edge lets the origin work on one request before it answers 504. */
  requestBudgetMs: 10_000,

  /** Requests of one address in any sixty seconds, when no API key vouches for more. */
  ipRequestsPerMinute: 100,
  /** … of one customer with a token. */
  customerRequestsPerMinute: 300,
  keyRequestsPerMinuteDefault: 6_000,
  keyRequestsPerMinuteMax: 1_000_000,
  /** … of a merchant: of all its keys and customers together. */
  merchantRequestsPerMinuteMax: 10_000_000,
  requestsPerMonthMax: 1_000_000_000_000,

  /** Versions of one merchant's configuration, and a URL in it. */
  configurationVersionsMax: 100_000,
  urlCharsMax: 512,
  /** How long a key that was rotated may still be used. */
  keyOverlapSecondsDefault: 24 * 3_600,
  keyOverlapSecondsMax: 30 * 24 * 3_600,
  /** Entries of the audit trail that one request verifies. */
  auditVerifyRowsMax: 10_000,

  /** Origins whose scripts may call for one merchant. */
  allowedOriginsMax: 20,
} as const;

if (limits.amountMax > limits.balanceMax) throw new Error('limits: one amount must fit into a balance');
if (limits.bulkLineBytesMax > limits.bodyBytesMax) throw new Error('limits: a line is no larger than a request');
if (limits.holdSecondsDefault > limits.holdSecondsMax) throw new Error('limits: the usual hold must be allowed');
if (Math.max(limits.requestBudgetMs, limits.bulkBudgetMs) >= limits.signatureWindowMs) {
  throw new Error('limits: a request must end inside the window in which its signature is remembered');
}
