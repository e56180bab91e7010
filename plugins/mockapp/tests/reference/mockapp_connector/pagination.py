from connector.client import PaginationBase, create_next_page_token

DEFAULT_PAGE_SIZE = 100


class Pagination(PaginationBase):
    offset: int

    @classmethod
    def default(cls, endpoint: str) -> "Pagination":
        return cls(endpoint=endpoint, offset=0)


NextPageToken = create_next_page_token(Pagination, "NextPageToken")
