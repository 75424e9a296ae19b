/** The least that a proxy can do: the yardstick for what the edge's own work costs. Not part of the product. */
interface Bindings {
  readonly ORIGIN_URL: string;
}

export default {
  async fetch(request: Request, { ORIGIN_URL }: Bindings): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    return fetch(ORIGIN_URL + pathname + search, request);
  },
};
