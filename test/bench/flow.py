from prefect import flow


@flow
def one_line():
    pass
