declare module 'kafkajs-snappy' {
  /** For `CompressionCodecs[CompressionTypes.Snappy]`. */
  const createCodec: () => {
    compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
    decompress(buffer: Buffer): Promise<Buffer>;
  };
  export default createCodec;
}
